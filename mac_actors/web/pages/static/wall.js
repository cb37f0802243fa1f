/* The wall: the largest tiles that show everything; pages that turn by themselves where the smallest are too large. */
(() => {
  'use strict';

  const TURN = 10000;  // ms that a page stays
  const GAP = 12;
  const by = id => document.getElementById(id);
  const list = by('tiles'), turn = by('turn'), clock = by('clock');
  const tilesOf = items => items.map(item => item.firstElementChild);
  const tooWide = tile => tile.scrollWidth > tile.clientWidth + 1
    || [...tile.querySelectorAll('.word, .since')].some(part => part.offsetWidth > part.parentElement.clientWidth + 1);
  const height = () => innerHeight - list.getBoundingClientRect().top - 16;
  const tooHigh = () => list.scrollHeight > height() + 1;

  let page = 0, pages = 1;
  let least = 2;  // lines of a reason for which there is room in any case

  function set({columns, wide, size}) {
    list.classList.toggle('wide', wide);
    list.style.setProperty('--columns', columns);
    list.style.setProperty('--height', `${height()}px`);
    list.style.setProperty('--size', `${size}px`);
  }

  /* How these tiles are largest. What is cut can only be seen, so the most promising few are tried. */
  function layout(items, smallest, largest) {
    const width = list.clientWidth, count = items.length;
    const flagged = items.filter(item => item.querySelector('.oopsed, .locked')).length;
    const found = [];
    for (let columns = 1; columns <= count; columns++) {
      for (const wide of columns > 3 && flagged ? [true, false] : [false]) {
        const rows = Math.ceil((count + (wide ? flagged : 0)) / columns);
        const h = (height() - GAP * (rows - 1)) / rows, w = (width - GAP * (columns - 1)) / columns;
        found.push({columns, wide, size: Math.min(w / 12, h / 6, largest)});
      }
    }
    found.sort((one, other) => other.size - one.size);
    let best = null;
    for (const tried of found.slice(0, 8)) {
      let low = best ? best.size : smallest, high = Math.min(largest, Math.max(tried.size * 1.3, smallest));
      const fits = size => {
        set({...tried, size});
        return !tooHigh() && !tilesOf(items).some(tooWide);
      };
      if (low > high || !fits(low)) continue;
      for (let step = 0; step < 6; step++) {
        const middle = (low + high) / 2;
        if (fits(middle)) low = middle; else high = middle;
      }
      best = {...tried, size: low};
    }
    return best;
  }

  function lengthen(tile) {  // reasons as long as there is room
    for (const why of tile.querySelectorAll('.why')) {
      let lines = least;
      while (lines < 20 && why.scrollHeight > why.clientHeight + 1) {
        why.style.setProperty('--lines', lines + 1);
        if (tooHigh()) { why.style.setProperty('--lines', lines); break; }
        lines += 1;
      }
    }
  }

  function fit() {
    const items = [...list.children].filter(item => !item.hidden);
    list.classList.add('fitted');
    turn.textContent = '';
    for (const why of list.querySelectorAll('.why')) why.style.removeProperty('--lines');
    if (!items.length) return;
    least = items.length > 40 ? 2 : 4;
    list.style.setProperty('--lines', least);
    const side = Math.min(innerWidth, innerHeight), smallest = Math.max(11, side / 90), largest = Math.max(44, side / 20);
    const show = () => {
      const each = Math.ceil(items.length / pages);
      const mine = items.slice(page * each, (page + 1) * each);
      for (const item of items) item.classList.toggle('elsewhere', !mine.includes(item));
      turn.textContent = pages > 1 ? `${page + 1} / ${pages}` : '';
      return mine;
    };
    const current = page;
    for (pages = 1, page = 0; pages <= items.length; pages++) {
      if (layout(show(), smallest, largest)) break;
    }
    pages = Math.min(pages, items.length);
    page = current % pages;
    const mine = show(), best = layout(mine, smallest, largest)
      || {columns: 1, wide: false, size: smallest};
    set(best);
    tilesOf(mine).forEach(lengthen);
  }

  addEventListener('resize', fit);
  document.addEventListener('shop:shown', fit);
  document.fonts.ready.then(fit);
  fit();
  setInterval(() => { if (pages > 1) { page = (page + 1) % pages; fit(); } }, TURN);
  const tick = () => { clock.textContent = window.shopClock.text(new Date(window.shopClock.now())); };
  tick();
  setInterval(tick, 1000);
})();
