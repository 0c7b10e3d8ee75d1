// What tables share that show one page of a long list. The build writes the text of these members into the pages of the
// dashboard that have their place. Such a page has `listTopic`, and the methods `firstPage` (the payload that asks for
// the newest entries) and `listFault` (the text of an answer's errors).

export const data = {
  list: undefined,
  listFilter: '',
  fault: '',
  // Payloads of the pages before this one and of this one; the newest page has none.
  pages: [],
  request: 0,
};

export const methods = {
  newest() {
    this.pages = [];
    this.load();
  },
  newer() {
    this.pages = this.pages.slice(0, -1);
    this.load();
  },
  older() {
    // What is shown may still be what another filter left.
    if (!this.list || !this.list.next || this.listFilter !== JSON.stringify(this.firstPage())) return;
    this.pages = this.pages.concat([this.list.next]);
    this.load();
  },
  load() {
    this.request += 1;
    const request = this.request;
    const filter = JSON.stringify(this.firstPage());
    const page = this.pages.length > 0 ? this.pages[this.pages.length - 1] : this.firstPage();
    this.ask(this.listTopic, JSON.parse(JSON.stringify(page))).then((answer) => {
      // An answer to an older question would show what the filter no longer asks for.
      if (request !== this.request) return;
      this.fault = answer.ok ? '' : this.listFault(answer.errors);
      if (!answer.ok) return;
      this.list = answer.result;
      this.listFilter = filter;
    });
  },
};
