/* The theme, times that say how long ago, and what is live: it asks for changes once a second. Loaded by all pages. */
(() => {
  'use strict';

  const EVERY = 1000;        // ms between two questions
  const SLOWEST = 5000;      // ms between them while the server does not answer
  const PATIENCE = 3000;     // ms for one answer
  const NEWS_PAUSE = 5000;   // ms between two announcements to a screen reader
  const root = document.documentElement;
  const by = id => document.getElementById(id);

  /* texts, in the page's language */

  const texts = JSON.parse(by('texts') ? by('texts').textContent : '{}');
  const say = (text, values = {}) => (texts[text] || text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  window.say = say;

  /* theme */

  const themes = ['', 'light', 'dark'];  // none: as the system has it
  const button = by('theme');
  function showTheme() {
    const theme = root.dataset.theme || 'system', names = {system: say('Theme: system'), light: say('Theme: light'), dark: say('Theme: dark')};
    button.querySelector('use').setAttribute('href', `#theme-${theme}`);
    button.querySelector('.text').textContent = names[theme];
  }
  if (button) {
    button.hidden = false;
    showTheme();
    button.addEventListener('click', () => {
      const next = themes[(themes.indexOf(root.dataset.theme || '') + 1) % themes.length];
      if (next) root.dataset.theme = next; else delete root.dataset.theme;
      document.cookie = `theme=${next};path=/;SameSite=Lax;max-age=${next ? 31536000 : 0}`;
      showTheme();
    });
  }

  /* times: by the shop's clock, whatever this computer's says */

  let ahead = new Date(root.dataset.now) - Date.now();  // ms by which the server's clock is ahead of ours
  const shopNow = () => Date.now() + ahead;
  function duration(ms, seconds) {
    const minutes = Math.floor(Math.max(0, ms) / 60000), hours = Math.floor(minutes / 60);
    if (minutes < 1) return seconds ? `${Math.floor(Math.max(0, ms) / 1000)} s` : say('under 1 min');
    if (minutes < 60) return `${minutes} min`;
    if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
    return say('{days} d {hours} h', {days: Math.floor(hours / 24), hours: hours % 24});
  }
  function showTimes() {
    for (const time of document.querySelectorAll('time[data-ago]')) {
      const passed = shopNow() - new Date(time.dateTime);
      const text = time.dataset.ago.replace('{}', duration(passed, time.closest('#fobs')));
      if (time.textContent !== text) time.textContent = text;
    }
  }
  function hoursAndMinutes(date) {  // the zone is said where this computer's is another one
    const {offset, zone} = root.dataset;
    const shifted = new Date(date.getTime() + offset * 1000);
    const text = shifted.toLocaleTimeString(root.lang === 'en' ? [] : root.lang, {hour: '2-digit', minute: '2-digit', timeZone: 'UTC'});
    return date.getTimezoneOffset() * -60 === Number(offset) ? text : `${text} ${zone}`;
  }
  window.shopClock = {now: shopNow, text: hoursAndMinutes, show: showTimes};
  showTimes();
  setInterval(showTimes, 5000);

  const list = by('tiles');
  if (!list) return;

  /* what is shown: search, areas and states */

  const find = by('find'), lost = by('lost'), news = by('news'), summary = by('summary');
  const items = () => Array.from(list.querySelectorAll(':scope > [data-name]'));
  const tileOf = item => item.firstElementChild;
  const PLAIN = {ß: 'ss', ø: 'o', æ: 'ae', œ: 'oe', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i'};

  function searchKey(text) {  // as search_key in core/text.py
    return text.normalize('NFKD').toLowerCase().replace(/[ßøæœłđðþı]/g, letter => PLAIN[letter])
      .replace(/[\p{M}\p{P}\u200b\ufeff]/gu, '');
  }
  const wanted = () => find
    ? {q: find.elements.q.value, state: find.elements.state.value, area: find.elements.area ? find.elements.area.value : ''}
    : list.dataset;

  function placeHeadings() {
    for (const heading of list.querySelectorAll(':scope > .area')) heading.remove();
    if (!find || !items().some(item => tileOf(item).dataset.area)) return;
    let last = null;
    for (const item of items()) {
      const {area} = tileOf(item).dataset;
      if (item.hidden || (last !== null && searchKey(area) === searchKey(last))) continue;
      const heading = document.createElement('li'), text = document.createElement('bdi');
      heading.className = 'area';
      text.textContent = area || say('Elsewhere');
      heading.appendChild(document.createElement('h2')).appendChild(text);
      item.before(heading);
      last = area;
    }
  }
  function applyFilter() {
    const none = by('none');
    if (!none) return;  // a page of one machine
    const {q, state, area, machine} = wanted(), words = searchKey(q || '').split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items()) {
      const own = tileOf(item).dataset;
      item.hidden = !((!machine || item.dataset.name === machine) && (!state || own.state === state) && (!area || searchKey(own.area) === searchKey(area))
        && words.every(word => own.find.includes(word)));
      shown += !item.hidden;
    }
    none.hidden = shown > 0;
    placeHeadings();
    document.dispatchEvent(new Event('shop:shown'));
  }
  function filterChanged() {
    applyFilter();
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(wanted())) if (value.trim()) query.set(key, value.trim());
    history.replaceState(null, '', query.size ? `/?${query}` : '/');
  }
  if (find) {
    find.addEventListener('input', filterChanged);
    find.addEventListener('submit', event => { event.preventDefault(); filterChanged(); });
    by('none').addEventListener('click', event => {
      if (event.target.id !== 'all') return;
      event.preventDefault();
      find.elements.q.value = '';
      if (find.elements.area) find.elements.area.value = '';
      find.querySelector('[name="state"][value=""]').checked = true;
      filterChanged();
      find.elements.q.focus();
    });
    applyFilter();  // the browser may have kept what was typed before a reload
  }

  /* changes */

  let announced = 0, waiting = new Map(), announcing = 0;
  function announce(name, text) {
    waiting.set(name, text);
    if (announcing) return;
    announcing = setTimeout(() => {
      news.textContent = waiting.size > 3 ? say('{number} machines changed: {summary}', {number: waiting.size, summary: summary.textContent})
        : Array.from(waiting.values()).join('. ');
      waiting = new Map();
      announcing = 0;
      announced = Date.now();
    }, Math.max(100, announced + NEWS_PAUSE - Date.now()));
  }

  const make = (name) => {
    const item = document.createElement('li');
    item.dataset.name = name;
    return item;
  };
  const spoken = item => {
    const words = Array.from(item.querySelectorAll('strong'), word => word.textContent).join(say(' and '));
    return `${(item.querySelector('h2') || document.querySelector('h1')).textContent}: ${words}`;
  };
  const firstKey = item => item.querySelector('.commands [data-key]') || item.querySelector('[data-key]');

  function take(answer, quiet) {
    const active = document.activeElement;
    const holder = active && active.closest ? active.closest('#tiles > [data-name]') : null;
    const key = holder && active.dataset.key;
    const known = new Map(items().map(item => [item.dataset.name, item]));
    for (const [name, html] of Object.entries(answer.tiles)) {
      const item = known.get(name) || make(name);
      const before = item.firstElementChild && spoken(item);
      item.innerHTML = html;
      known.set(name, item);
      if (!quiet && before !== spoken(item)) announce(name, spoken(item));
    }
    if (answer.order) {
      const sorted = answer.order.map(name => known.get(name)).filter(Boolean);
      for (const child of Array.from(list.children)) if (!sorted.includes(child)) child.remove();
      sorted.forEach((item, place) => {
        if (list.children[place] !== item) list.insertBefore(item, list.children[place] || null);
      });
    }
    if (summary) {
      if (answer.summary !== summary.textContent) summary.textContent = answer.summary;
      const {space} = root.dataset;
      document.title = answer.title + document.querySelector('h1').textContent + (space ? ` · ${space}` : '');
    } else if (Object.keys(answer.tiles).length) refreshRest();
    for (const count of document.querySelectorAll('[data-count]')) {
      const state = count.dataset.count;
      count.textContent = state ? answer.counts[state] : items().length;
      count.closest('label').classList.toggle('empty', state !== '' && !answer.counts[state]);
    }
    applyFilter();
    showTimes();
    if (holder && document.activeElement !== active && holder.isConnected && !holder.hidden) {
      const again = holder.querySelector(`[data-key="${key}"]`) || firstKey(holder);
      if (again) again.focus({preventScroll: true});
    }
  }

  async function refreshRest() {  // what else a machine's page says: its newest events, its reader
    try {
      const reply = await fetch(location.href, {cache: 'no-store', headers: {Accept: 'text/html'}});
      if (!reply.ok) return;
      const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html');
      for (const part of document.querySelectorAll('[data-live]')) {
        const other = fresh.getElementById(part.id);
        if (other && other.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) part.replaceChildren(...other.childNodes);
      }
      showTimes();
    } catch { /* the next change brings it */ }
  }

  function loadAnew() {
    // Not location.reload(): that would repeat where the visit came from, and after a link from another site
    // the browser would go on keeping the login back. Not twice in ten seconds, whatever the server says.
    try {
      const last = Number(sessionStorage.getItem('loaded') || 0);
      if (Date.now() - last < 10000) return false;
      sessionStorage.setItem('loaded', String(Date.now()));
    } catch {
      return false;  // a browser that keeps nothing
    }
    location.replace(location.pathname + location.search);
    return true;
  }

  let {cursor, page} = list.dataset;
  let timer = 0, asking = null, onceMore = false, pause = EVERY, failures = 0, answered = Date.now();

  function isLost(since) {
    if (lost.textContent) return;
    lost.textContent = say('Not up to date: no answer since {time}, trying again', {time: hoursAndMinutes(new Date(since + ahead))});
    root.classList.add('stale');
    document.dispatchEvent(new Event('shop:shown'));
  }
  function isFound() {
    failures = 0;
    pause = EVERY;
    answered = Date.now();
    if (!lost.textContent) return;
    lost.textContent = '';
    root.classList.remove('stale');
    document.dispatchEvent(new Event('shop:shown'));
  }

  async function ask() {
    clearTimeout(timer);
    onceMore = Boolean(asking);
    if (asking || document.hidden) return;
    const mine = asking = new AbortController();
    const begun = Date.now();
    const giveUp = setTimeout(() => mine.abort(), PATIENCE);
    try {
      const url = new URL(list.dataset.changes, location.href);
      url.searchParams.set('since', cursor);
      url.searchParams.set('page', page);
      const reply = await fetch(url, {signal: mine.signal, cache: 'no-store', headers: {Accept: 'application/json'}});
      if (reply.status === 404 && loadAnew()) return;  // the machine of this page is gone
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      const date = Date.parse(reply.headers.get('Date'));
      if (Math.abs(date - Date.now() - ahead) > 2000) ahead = date - Date.now();
      if (reply.status !== 204) {
        const answer = await reply.json();
        if (answer.page !== page && loadAnew()) return;
        take(answer, answer.cursor.split('-')[0] !== cursor.split('-')[0]);
        ({cursor, page} = answer);
      }
      isFound();
    } catch {
      failures += 1;
      pause = Math.min(SLOWEST, failures > 2 ? pause * 2 : EVERY);
      if (failures > 1 || Date.now() - begun >= PATIENCE) isLost(answered);
    } finally {
      clearTimeout(giveUp);
      asking = null;
      timer = setTimeout(ask, onceMore ? 0 : pause * (0.9 + 0.2 * Math.random()));
    }
  }
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) ask();
  });
  document.addEventListener('shop:ask', ask);
  addEventListener('online', ask);
  addEventListener('pageshow', event => { if (event.persisted) ask(); });
  timer = setTimeout(ask, EVERY);
})();
