/** The border between a flow and the domain: messages, and what they say. Apart from the model, which depends on nothing. */
export * from './command-messages';
export * from './event-messages';
export {
  type DeviceEventMessage,
  deviceEventMessage,
  type HealthMessage,
  healthMessage,
  type ParsedReading,
  parseReadingMessage,
  type ReadingMessage,
  readingMessage,
  topicOf,
} from './reading-messages';
