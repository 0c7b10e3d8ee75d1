// What all pages of the dashboard share. A page of Dashboard 2 imports nothing: the build writes the text of these
// members into each of them, so they use nothing but each other and what Vue gives to `this`.

export const data = {
  language: 'en-US',
  // Beginning of the page's own words for faults.
  page: '',
  marks: { ok: '●', warning: '▲', error: '■', unknown: '…' },
  // Clock of the gateway minus clock of the browser: ages must not depend on how the browser's clock is set.
  clockOffset: 0,
  now: 0,
  answeredAt: 0,
  // What waits for an answer, by the mark that the answer brings back.
  questions: {},
  questionMark: '',
  questionCount: 0,
  timers: [],
  onAnswer: null,
  onVisible: null,
  // What came of the last act, and the act that waits for a yes.
  notice: null,
  confirmation: null,
};

export const computed = {
  silentSeconds() {
    return Math.floor((this.now - this.answeredAt) / 1000);
  },
  isSilent() {
    return this.now - this.answeredAt >= 10_000;
  },
};

export const methods = {
  /** Begins to ask, and goes on while somebody looks. The page has a method `refresh`. */
  begin(interval) {
    const known = Object.keys(this.words);
    const wanted = navigator.languages && navigator.languages.length > 0 ? navigator.languages : [navigator.language];
    this.language =
      wanted
        .map((tag) => known.find((name) => name.split('-')[0] === tag.split('-')[0].toLowerCase()))
        .find((name) => name !== undefined) || 'en-US';
    this.questionMark = Math.random().toString(36).slice(2);
    this.now = Date.now();
    this.answeredAt = this.now;
    // Not the msg property: of two answers in the same instant it would show only the last, and old ones again.
    this.onAnswer = (msg) => this.receive(msg);
    this.$socket.on('msg-input:' + this.id, this.onAnswer);
    this.onVisible = () => {
      this.answeredAt = Date.now();
      this.look();
    };
    document.addEventListener('visibilitychange', this.onVisible);
    this.timers = [
      setInterval(() => {
        this.now = Date.now();
      }, 1000),
      setInterval(() => this.look(), interval),
    ];
    this.look();
  },
  end() {
    this.$socket.off('msg-input:' + this.id, this.onAnswer);
    document.removeEventListener('visibilitychange', this.onVisible);
    for (const timer of this.timers) clearInterval(timer);
    this.questions = {};
  },
  look() {
    if (document.visibilityState === 'visible') this.refresh();
  },
  /** Asks the gateway. The answer is that of gateway-admin; where none comes it is one with an error. */
  ask(topic, payload) {
    const none = (key) => ({ ok: false, errors: [{ field: 'topic', value: topic, rule: this.t(key), cure: '' }] });
    // Socket.IO would keep it, and send it when nobody wants it any more.
    if (!this.$socket.connected) return Promise.resolve(none('offline'));
    return new Promise((resolve) => {
      this.questionCount += 1;
      const request = this.questionMark + '-' + this.questionCount;
      this.questions[request] = resolve;
      setTimeout(() => {
        if (!this.questions[request]) return;
        delete this.questions[request];
        resolve(none('late'));
      }, 30000);
      this.send({ topic, payload, request });
    });
  },
  receive(msg) {
    // Without a question it is an answer to another browser, or an old one that is told again.
    const settle = msg && this.questions[msg.request];
    if (!settle || !msg.payload || typeof msg.payload.ok !== 'boolean') return;
    delete this.questions[msg.request];
    this.answeredAt = Date.now();
    settle(msg.payload);
  },
  t(key, values) {
    const text = this.words[this.language][key] || this.words['en-US'][key] || key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? String(values[name]) : whole));
  },
  /** The text of a key that may not be there. */
  known(key, otherwise) {
    const text = this.t(key);
    return text === key ? otherwise : text;
  },
  number(value) {
    return new Intl.NumberFormat(this.language, { maximumFractionDigits: 6 }).format(value);
  },
  count(key, value) {
    return this.t(key, { count: this.number(value) });
  },
  unit(value, name, digits, display) {
    return new Intl.NumberFormat(this.language, {
      style: 'unit',
      unit: name,
      unitDisplay: display || 'short',
      maximumFractionDigits: digits || 0,
    }).format(value);
  },
  bytes(value) {
    return value < 1e9 ? this.unit(value / 1e6, 'megabyte', 1) : this.unit(value / 1e9, 'gigabyte', 2);
  },
  durationText(milliseconds) {
    const seconds = Math.max(0, Math.round(milliseconds / 1000));
    if (seconds < 120) return this.unit(seconds, 'second', 0, 'narrow');
    if (seconds < 7200) return this.unit(Math.round(seconds / 60), 'minute', 0, 'narrow');
    if (seconds < 172800) return this.unit(Math.round(seconds / 3600), 'hour', 0, 'narrow');
    return this.unit(Math.round(seconds / 86400), 'day', 0, 'narrow');
  },
  /** How long ago, by the clock of the gateway. */
  ageText(time) {
    return time ? this.durationText(this.now + this.clockOffset - time) : '–';
  },
  timeText(time) {
    return time ? new Date(time).toLocaleString(this.language) : '';
  },
  dateText(time) {
    return time ? new Date(time).toLocaleDateString(this.language, { dateStyle: 'medium' }) : '';
  },
  /** In groups of four, as people compare them. */
  thumbprintText(thumbprint) {
    return (thumbprint.toUpperCase().match(/.{1,4}/g) || []).join(' ');
  },
  /** IPv4 as people write it, also where it came in by an IPv6 socket. */
  addressText(address) {
    return address.replace(/^::ffff:(?=\d+\.)/i, '');
  },
  /** The common name of a distinguished name, or all of it. */
  commonName(subject) {
    const found = /(?:^|, )CN=([^,]+)/.exec(subject || '');
    return found ? found[1] : subject || '–';
  },
  /** A fault in the words of the page where it has some, else in those of the gateway. */
  faultText(fault) {
    const own = [fault.rule, fault.cure].filter((text) => text).join('. ');
    if (fault.field !== 'user')
      return this.known(this.page + '.fault.' + fault.field, this.known('fault.' + fault.field, own));
    // Who may depends on what was to be done.
    const [roles] = /\b(?:Observer|Operator|Engineer|SecurityAdmin)(?: or \w+)*/.exec(fault.rule) || [];
    if (roles === undefined) return own;
    const names = roles.split(' or ').map((role) => this.t('quoted', { text: this.known('role.' + role, role) }));
    return this.t('fault.user', { roles: new Intl.ListFormat(this.language, { type: 'disjunction' }).format(names) });
  },
  faultsOf(errors, fields) {
    return errors.filter(({ field }) => fields.some((name) => field === name || field.startsWith(name + '.')));
  },
  /** Those that name none of the fields: they are shown for the form as a whole. */
  otherFaults(errors, fields) {
    const shown = this.faultsOf(errors, fields);
    return errors.filter((fault) => !shown.includes(fault));
  },
  say(level, text) {
    this.notice = { level, text };
  },
  /** Asks for a yes before something is done. `act`: title, text, facts, action, isDanger, topic, payload, done, faults. */
  confirm(act) {
    this.notice = null;
    this.confirmation = { facts: [], isDanger: false, ...act, isBusy: false, errors: [] };
    this.$nextTick(() => this.$refs.confirmation.showModal());
  },
  /** What came of an act: a text, or what makes one of the result. */
  sayDone(done, result) {
    const { level, text } = typeof done === 'function' ? done(result) : { level: 'ok', text: done };
    this.say(level, text);
  },
  async confirmed() {
    const act = this.confirmation;
    if (!act || act.isBusy) return;
    act.isBusy = true;
    act.errors = [];
    const answer = await this.ask(act.topic, act.payload);
    act.isBusy = false;
    // Closed in the meantime: what came of it is said all the same.
    const errors = answer.ok ? [] : act.faults ? act.faults(answer) : answer.errors;
    if (!answer.ok && this.confirmation === act) act.errors = errors;
    else if (answer.ok) this.sayDone(act.done, answer.result);
    else this.say('error', errors.map((fault) => this.faultText(fault)).join(' '));
    if (answer.ok && this.confirmation === act) this.$refs.confirmation.close();
    this.refresh();
  },
  /** A dialog gives the focus back to what opened it; where that is gone, to the page. */
  dialogClosed() {
    this.confirmation = null;
    setTimeout(() => {
      if (document.activeElement === document.body && this.$refs.page) this.$refs.page.focus();
    }, 300);
  },
};
