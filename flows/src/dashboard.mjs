// The dashboard: pages are files in flows/ui/, data comes from gateway-admin.

/** Pages in their order: name of the file in flows/ui/, title, icon. */
export const PAGES = [
  { file: 'overview', title: 'Overview', icon: 'view-dashboard-outline' },
  { file: 'health', title: 'Health', icon: 'heart-pulse' },
  { file: 'commands', title: 'Commands', icon: 'send-outline' },
  { file: 'clients', title: 'Clients', icon: 'certificate-outline' },
  { file: 'users', title: 'Users', icon: 'account-multiple-outline' },
  { file: 'audit', title: 'Audit', icon: 'clipboard-text-clock-outline' },
];

const BREAKPOINTS = [
  { name: 'Default', px: '0', cols: '3' },
  { name: 'Tablet', px: '576', cols: '6' },
  { name: 'Small Desktop', px: '768', cols: '9' },
  { name: 'Desktop', px: '1024', cols: '12' },
];

/** What every ui-template has. */
function template(format) {
  return {
    type: 'ui-template',
    z: '@dashboard',
    order: 1,
    width: 0,
    height: 0,
    head: '',
    format,
    storeOutMessages: false,
    passthru: false,
    resendOnRefresh: false,
    className: '',
  };
}

/** One row of the tab: the page asks, gateway-admin answers, and the answer goes back to the page by a link. */
function row({ file, title, icon }, index, format) {
  const y = 120 + 60 * index;
  // The names of the first page are older than the others: its ids stay.
  const named = (name) => (file === 'overview' ? name : `${file}${name[0].toUpperCase()}${name.slice(1)}`);
  return [
    {
      id: named('answersIn'),
      type: 'link in',
      z: '@dashboard',
      name: 'answers',
      links: [`@${named('answersOut')}`],
      x: 130,
      y,
      wires: [[`@${file}`]],
      l: true,
    },
    {
      ...template(format),
      id: file,
      group: `@${file}Group`,
      page: '',
      ui: '',
      name: title,
      templateScope: 'local',
      x: 300,
      y,
      wires: [[`@${named('admin')}`]],
    },
    {
      id: named('admin'),
      type: 'gateway-admin',
      z: '@dashboard',
      name: 'Gateway',
      database: '@database',
      x: 470,
      y,
      wires: [[`@${named('answersOut')}`]],
    },
    {
      id: named('answersOut'),
      type: 'link out',
      z: '@dashboard',
      name: 'answers',
      mode: 'link',
      links: [`@${named('answersIn')}`],
      x: 640,
      y,
      wires: [],
      l: true,
    },
    {
      id: `${file}Page`,
      type: 'ui-page',
      name: title,
      ui: '@ui',
      path: `/${file}`,
      icon,
      layout: 'grid',
      theme: '@theme',
      breakpoints: BREAKPOINTS,
      order: index + 1,
      className: '',
      visible: true,
      disabled: false,
    },
    {
      id: `${file}Group`,
      type: 'ui-group',
      name: title,
      page: `@${file}Page`,
      width: '12',
      height: '1',
      order: 1,
      showTitle: false,
      className: '',
      visible: true,
      disabled: false,
      groupType: 'default',
    },
  ];
}

/**
 * @param {(file: string) => string} page the Vue component of a page as text
 * @param {string} dark style sheet for browsers that want dark pages
 */
export function dashboardNodes(page, dark) {
  return [
    {
      id: 'dashboard',
      type: 'tab',
      label: 'Dashboard',
      info: 'Each page asks gateway-admin (`msg.topic` names the question) and gets the answer for itself alone: `msg._client` says which browser asked.',
    },
    {
      id: 'dashboardHelp',
      type: 'comment',
      z: '@dashboard',
      name: 'Pages ask, gateway-admin answers the browser that asked',
      info: 'The pages are the files in flows/ui/ of the package. Ask the same questions from your own flow: wire an inject node with topic `status.get` or `values.list` to a gateway-admin node.\n\nOnly who is logged in reaches the pages and their questions, and what is done here is in the audit journal with the name of its user.',
      x: 270,
      y: 60,
    },
    ...PAGES.flatMap((entry, index) => row(entry, index, page(`${entry.file}.vue`))),
    {
      ...template(dark),
      id: 'dark',
      group: '',
      page: '',
      ui: '@ui',
      name: 'Dark where the browser wants it',
      templateScope: 'site:style',
      x: 210,
      y: 120 + 60 * PAGES.length,
      wires: [[]],
    },
    {
      id: 'ui',
      type: 'ui-base',
      name: 'Lorua',
      path: '/dashboard',
      appIcon: '',
      includeClientData: true,
      // An answer goes to the browser that asked, and to no other.
      acceptsClientConfig: ['ui-notification', 'ui-control', 'ui-template'],
      showPathInSidebar: false,
      headerContent: 'page',
      navigationStyle: 'default',
      titleBarStyle: 'default',
      showReconnectNotification: true,
      notificationDisplayTime: 5,
      showDisconnectNotification: true,
      allowInstall: false,
    },
    {
      id: 'theme',
      type: 'ui-theme',
      name: 'Lorua',
      colors: {
        surface: '#1d2a35',
        primary: '#0b6bcb',
        bgPage: '#f3f5f7',
        groupBg: '#ffffff',
        groupOutline: '#d4dae0',
      },
      sizes: {
        density: 'default',
        pagePadding: '12px',
        groupGap: '12px',
        groupBorderRadius: '6px',
        widgetGap: '12px',
      },
    },
  ];
}
