
'use strict';
(() => {
  const root = document.documentElement;
  root.classList.add('js');

  // the tip that says what a mark is
  const tip = document.getElementById('tip');
  let hot = null;
  const hide = () => {
    tip.hidden = true;
    if (hot) hot.classList.remove('hot');
    hot = null;
  };
  const show = (mark, x, y) => {
    if (mark !== hot) {
      if (hot) hot.classList.remove('hot');
      hot = mark;
      if (mark.closest('.map')) mark.classList.add('hot');
      tip.replaceChildren();
      const card = mark.dataset.pick && document.getElementById('pick-' + mark.dataset.pick);
      const picture = card && card.querySelector('img');
      if (picture) {
        const copy = document.createElement('img');
        copy.src = picture.src;
        copy.alt = '';
        tip.append(copy);
      }
      mark.dataset.tip.split('\n').forEach((line, index) => {
        const part = document.createElement(index ? 'span' : 'b');
        part.textContent = line;
        tip.append(part);
      });
      tip.hidden = false;
    }
    const box = tip.getBoundingClientRect();
    const left = x + 14 + box.width > innerWidth ? x - 14 - box.width : x + 14;
    const top = y + 16 + box.height > innerHeight ? y - 12 - box.height : y + 16;
    tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  };

  // small dots: the nearest one within reach
  const REACH = 18;
  const nearest = (map, x, y) => {
    const box = map.getBoundingClientRect();
    let best = null;
    let least = REACH * REACH;
    for (const dot of map.querySelectorAll('circle:not(.dim)')) {
      const dx = box.left + parseFloat(dot.getAttribute('cx')) * box.width / 100 - x;
      const dy = box.top + parseFloat(dot.getAttribute('cy')) * box.height / 100 - y;
      const far = dx * dx + dy * dy;
      // a ringed dot lies on top of the others
      if (far * (dot.classList.contains('picked') ? 0.5 : 1) < least) {
        least = far;
        best = dot;
      }
    }
    return best;
  };
  const point = (event) => {
    if (!(event.target instanceof Element)) return;
    const map = event.target.closest('.nearest');
    const mark = event.target.closest('[data-tip]')
      || (map && nearest(map, event.clientX, event.clientY));
    if (mark) show(mark, event.clientX, event.clientY);
    else hide();
  };
  document.addEventListener('pointermove', point);
  document.addEventListener('pointerdown', point);
  document.addEventListener('scroll', hide, {passive: true, capture: true});
  document.addEventListener('pointerleave', hide);

  // one panel of several
  for (const select of document.querySelectorAll('select[data-panels]')) {
    const panels = [...document.getElementById(select.dataset.panels).children];
    const choose = () => panels.forEach((panel, index) => {
      panel.classList.toggle('later', index !== Number(select.value));
    });
    select.addEventListener('change', choose);
    choose();
  }

  // cards in another order, or of one task
  for (const select of document.querySelectorAll('select[data-sort]')) {
    const list = document.getElementById(select.dataset.sort);
    const number = (card, key) => card.dataset[key] === '' ? -Infinity : Number(card.dataset[key]);
    const orders = {
      order: (a, b) => number(a, 'order') - number(b, 'order'),
      score: (a, b) => number(b, 'score') - number(a, 'score') || orders.order(a, b),
      task: (a, b) => a.dataset.task.localeCompare(b.dataset.task) || orders.order(a, b),
    };
    select.addEventListener('change', () => list.append(...[...list.children].sort(orders[select.value])));
  }
  for (const select of document.querySelectorAll('select[data-filter]')) {
    const list = document.getElementById(select.dataset.filter);
    select.addEventListener('change', () => {
      for (const card of list.children) card.hidden = select.value !== '' && card.dataset.task !== select.value;
    });
  }

  // a pick that a link leads to must not be filtered out
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element && event.target.closest('a[href^="#pick-"]');
    const card = link && document.getElementById(link.getAttribute('href').slice(1));
    if (card) card.hidden = false;
    hide();
  });

  // one task of the map
  for (const legend of document.querySelectorAll('[data-legend]')) {
    const map = legend.parentElement.querySelector('.map');
    const buttons = [...legend.querySelectorAll('button')];
    let only = null;
    const apply = () => {
      for (const button of buttons) button.setAttribute('aria-pressed', String(button === only));
      for (const dot of map.querySelectorAll('circle')) {
        dot.classList.toggle('dim', only !== null && dot.dataset.task !== only.value);
      }
    };
    for (const button of buttons) {
      button.addEventListener('click', () => {
        only = only === button ? null : button;
        apply();
      });
    }
  }
})();
