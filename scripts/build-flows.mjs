// Makes flows/gateway.json and the examples from their readable sources.
export function buildFlows() {}
