/* The theme, times that say how long ago, and the board: it asks for changes once a second. Loaded by all pages. */
(() => {
  'use strict';

  const EVERY = 1000;        // ms between two questions
  const SLOWEST = 5000;      // ms between them while the server does not answer
  const PATIENCE = 3000;     // ms for one answer
  const NEWS_PAUSE = 5000;   // ms between two announcements to a screen reader
  const root = document.documentElement;
  const by = id => document.getElementById(id);

  /* theme */

  const themes = ['', 'light', 'dark'];  // none: as the system has it
  const button = by('theme');
  function showTheme() {
    const theme = root.dataset.theme || 'system';
    button.querySelector('use').setAttribute('href', `#theme-${theme}`);
    button.querySelector('.text').textContent = `Theme: ${theme}`;
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

  /* times */

  let ahead = 0;  // ms by which the server's clock is ahead of ours
  function duration(ms) {
    const minutes = Math.floor(Math.max(0, ms) / 60000), hours = Math.floor(minutes / 60);
    if (minutes < 1) return 'under 1 min';
    if (minutes < 60) return `${minutes} min`;
    if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }
  function showTimes() {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll('time[data-ago]')) {
      const at = new Date(time.dateTime), text = time.dataset.ago.replace('{}', duration(now - at));
      if (time.textContent !== text) time.textContent = text;
    }
  }

  const list = by('tiles');
  function hoursAndMinutes(date) {  // by the shop's clock; its zone is said where this computer's is another one
    const {offset, zone} = list.dataset;
    const shifted = new Date(date.getTime() + offset * 1000);
    const text = shifted.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', timeZone: 'UTC'});
    return date.getTimezoneOffset() * -60 === Number(offset) ? text : `${text} ${zone}`;
  }
  if (list) ahead = new Date(list.dataset.now) - Date.now();
  showTimes();
  setInterval(showTimes, 5000);
  if (!list) return;

  /* what is shown: search and filter */

  const find = by('find'), lost = by('lost'), news = by('news'), said = by('said');
  const items = () => Array.from(list.children);
  const tileOf = item => item.firstElementChild;

  function applyFilter() {
    if (!find) return;
    const words = find.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = find.elements.state.value;
    let shown = 0;
    for (const item of items()) {
      const {state: own, find: text} = tileOf(item).dataset;
      item.hidden = !((!state || own === state) && words.every(word => text.includes(word)));
      shown += !item.hidden;
    }
    by('none').hidden = shown > 0;
  }
  function filterChanged() {
    applyFilter();
    const query = new URLSearchParams();
    if (find.elements.q.value.trim()) query.set('q', find.elements.q.value.trim());
    if (find.elements.state.value) query.set('state', find.elements.state.value);
    history.replaceState(null, '', query.size ? `/?${query}` : '/');
  }
  if (find) {
    find.addEventListener('input', filterChanged);
    find.addEventListener('submit', event => { event.preventDefault(); filterChanged(); });
    by('none').addEventListener('click', event => {
      if (event.target.id !== 'all') return;
      event.preventDefault();
      find.elements.q.value = '';
      find.querySelector('[name="state"][value=""]').checked = true;
      filterChanged();
      find.elements.q.focus();
    });
    applyFilter();  // the browser may have kept what was typed before a reload
  }

  /* the wall: as many columns as make the tiles largest */

  const wall = root.classList.contains('kiosk');
  function fitWall() {
    if (!wall || !list.children.length) return;
    const box = list.getBoundingClientRect();
    const width = box.width, height = innerHeight - box.top - 16, gap = 12;
    const count = list.children.length, flagged = list.querySelectorAll('.oopsed, .locked').length;
    let best = {size: 0};
    for (let columns = 1; columns <= count; columns++) {
      const wide = columns > 3;  // room for the reasons
      const rows = Math.ceil((count + (wide ? flagged : 0)) / columns);
      const w = (width - gap * (columns - 1)) / columns, h = (height - gap * (rows - 1)) / rows;
      const size = Math.min(w / 14, h / 9.5);
      if (size > best.size) best = {size, columns, h, wide};
    }
    const side = Math.min(innerWidth, innerHeight), smallest = Math.max(10, side / 108), largest = Math.max(44, side / 24);
    const enough = best.size >= smallest;  // else it is scrolled
    list.classList.add('fitted');
    list.classList.toggle('wide', Boolean(best.wide));
    list.style.setProperty('--columns', enough ? best.columns : Math.max(1, Math.floor(width / (16 * smallest))));
    list.style.setProperty('--row', enough ? `${best.h}px` : 'auto');
    list.style.setProperty('--size', `${Math.min(largest, Math.max(smallest, best.size))}px`);
  }
  function tick() {
    const clock = by('clock');
    if (clock) clock.textContent = hoursAndMinutes(new Date(Date.now() + ahead));
  }
  if (wall) {
    addEventListener('resize', fitWall);
    tick();
    fitWall();
    setInterval(tick, 1000);
  }

  /* changes */

  let announced = 0, waiting = new Map(), announcing = 0;
  function announce(name, text) {
    waiting.set(name, text);
    if (announcing) return;
    announcing = setTimeout(() => {
      news.textContent = waiting.size > 3 ? `${waiting.size} machines changed: ${by('summary').textContent}`
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
  const spoken = item => `${item.querySelector('h2').textContent}: ${item.querySelector('strong').textContent}`;

  const firstKey = item => item.querySelector('.commands [data-key]') || item.querySelector('[data-key]');

  function take(answer, quiet) {
    const active = document.activeElement;
    const holder = active && active.closest ? active.closest('#tiles > li') : null;
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
      const wanted = answer.order.map(name => known.get(name)).filter(Boolean);
      for (const item of items()) if (!wanted.includes(item)) item.remove();
      wanted.forEach((item, place) => {
        if (list.children[place] !== item) list.insertBefore(item, list.children[place] || null);
      });
    }
    fitWall();
    if (answer.summary !== by('summary').textContent) by('summary').textContent = answer.summary;
    for (const count of document.querySelectorAll('[data-count]')) {
      const state = count.dataset.count;
      count.textContent = state ? answer.counts[state] : list.children.length;
      count.closest('label').classList.toggle('empty', state !== '' && !answer.counts[state]);
    }
    applyFilter();
    showTimes();
    if (holder && document.activeElement !== active && holder.isConnected && !holder.hidden) {
      const again = holder.querySelector(`[data-key="${key}"]`) || firstKey(holder);
      if (again) again.focus({preventScroll: true});
    }
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
    lost.textContent = `Not up to date: no answer since ${hoursAndMinutes(new Date(since))}, trying again`;
    root.classList.add('stale');
    fitWall();
  }
  function isFound() {
    failures = 0;
    pause = EVERY;
    answered = Date.now();
    if (!lost.textContent) return;
    lost.textContent = '';
    root.classList.remove('stale');
    fitWall();
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
    if (document.hidden) return;
    if (!lost.textContent) answered = Date.now();
    ask();
  });
  addEventListener('online', ask);
  addEventListener('pageshow', event => { if (event.persisted) ask(); });
  timer = setTimeout(ask, EVERY);

  /* commands of admins */

  const dialog = by('command');
  if (!dialog) return;
  const form = dialog.querySelector('form'), go = form.querySelector('.main'), error = by('command-error');
  let command = null;

  list.addEventListener('click', event => {
    const pressed = event.target.closest('button[form="commands"]');
    if (!pressed) return;
    event.preventDefault();
    const about = document.querySelector(`template[data-command="${pressed.value}"]`);
    command = {action: pressed.value, path: pressed.getAttribute('formaction'), item: pressed.closest('li')};
    by('command-title').textContent = `${about.dataset.label} ${command.item.querySelector('h2').textContent.trim()}?`;
    by('command-effect').textContent = about.content.textContent;
    go.textContent = about.dataset.label;
    error.textContent = said.textContent = '';
    form.reset();
    by('command-when').hidden = command.action !== 'lock';
    dialog.showModal();
    form.elements.reason.focus();
  });
  dialog.addEventListener('close', () => {
    if (dialog.open) return;  // the event is late: another command has been begun
    const item = command && command.item;
    command = null;
    if (!item || !item.isConnected) return;
    const target = firstKey(item);
    const active = document.activeElement;
    if (target && (!active || active === document.body || dialog.contains(active))) target.focus({preventScroll: true});
  });
  form.addEventListener('submit', async event => {
    if (event.submitter && event.submitter.value === 'cancel') return;
    event.preventDefault();
    if (go.disabled) return;
    go.disabled = true;
    error.textContent = '';
    try {
      const body = new URLSearchParams(new FormData(by('commands')));
      body.set('action', command.action);
      body.set('reason', form.elements.reason.value);
      if (form.elements.when.checked) body.set('when', form.elements.when.value);
      const reply = await fetch(command.path, {method: 'POST', body, headers: {Accept: 'application/json'}})
        .catch(() => { throw new Error('The server does not answer: look at the board before you try again.'); });
      const answer = await reply.json()
        .catch(() => { throw new Error(`Something between here and the server answered with ${reply.status}.`); });
      if (!reply.ok) throw new Error(answer.error);
      said.textContent = answer.said;
      said.className = answer.good ? 'say good' : 'say note';
      dialog.close();
      ask();
    } catch (problem) {
      error.textContent = problem.message;
    } finally {
      go.disabled = false;
    }
  });
})();
