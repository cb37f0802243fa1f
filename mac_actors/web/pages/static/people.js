/* People are found while one types, and unknown fobs come up by themselves: on the board, and on the page of people. */
(() => {
  'use strict';

  const EVERY = 1000;     // ms between two looks for unknown fobs
  const PAUSE = 150;      // ms without a key after which is searched
  const PATIENCE = 5000;  // ms for one answer
  const by = id => document.getElementById(id);
  const fobs = by('fobs'), find = by('search'), found = by('found');

  async function look() {
    try {
      if (document.hidden) return;
      const reply = await fetch(`/board/fobs?since=${fobs.dataset.since || ''}`,
        {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE), headers: {Accept: 'application/json'}});
      if (reply.status !== 200) return;
      const answer = await reply.json();
      fobs.dataset.since = answer.since;
      const active = fobs.contains(document.activeElement) && document.activeElement.getAttribute('href');
      if (fobs.innerHTML !== answer.html) fobs.innerHTML = answer.html;
      const again = active && Array.from(fobs.querySelectorAll('a')).find(link => link.getAttribute('href') === active);
      if (again) again.focus({preventScroll: true});
      window.shopClock.show();
    } catch { /* the next look may find out */ } finally {
      setTimeout(look, EVERY * (0.9 + 0.2 * Math.random()));
    }
  }
  if (fobs) look();

  if (!find) return;
  let timer = 0, asking = null;
  async function search() {
    clearTimeout(timer);
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    const query = new URLSearchParams(new FormData(find));
    try {
      const reply = await fetch(`/board/people?${query}`, {cache: 'no-store', signal: AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE)])});
      if (reply.status === 401 || reply.status === 403) return void location.reload();
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      const html = await reply.text();
      if (asking !== mine) return;
      found.innerHTML = html;
      by('news').textContent = by('count').textContent;
      by('lost').textContent = '';
      history.replaceState(null, '', `/people?${query}`);
    } catch {
      if (asking === mine) by('lost').textContent = window.say('The server does not answer: try again.');
    }
  }
  find.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(search, PAUSE); });
  find.addEventListener('submit', event => { event.preventDefault(); search(); });
})();
