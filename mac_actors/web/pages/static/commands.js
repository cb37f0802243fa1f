/* The dialog of an admin's commands, on the board and on a machine's page. */
(() => {
  'use strict';

  const BOUND = 10000;  // ms for an answer; the server carries nothing out that comes later than 8 s
  const by = id => document.getElementById(id);
  const dialog = by('command'), said = by('said');
  const form = dialog.querySelector('form'), go = form.querySelector('.main'), error = by('command-error');
  const {say} = window;
  let command = null;

  by('tiles').addEventListener('click', event => {
    const pressed = event.target.closest('button[form="commands"]');
    if (!pressed) return;
    event.preventDefault();
    const about = document.querySelector(`template[data-command="${pressed.value}"]`);
    const item = pressed.closest('[data-name]');
    command = {action: pressed.value, path: pressed.getAttribute('formaction'), item, label: about.dataset.label};
    by('command-title').textContent = `${pressed.textContent.trim()}?`;
    by('command-effect').textContent = about.content.textContent;
    go.textContent = command.label;
    go.disabled = false;  // what was sent before may still be under way: it leaves this dialog alone
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
    const target = item.querySelector('.commands [data-key]') || item.querySelector('[data-key]');
    const active = document.activeElement;
    if (target && (!active || active === document.body || dialog.contains(active))) target.focus({preventScroll: true});
  });

  async function send() {
    const body = new URLSearchParams(new FormData(by('commands')));
    body.set('action', command.action);
    body.set('reason', form.elements.reason.value);
    if (form.elements.when.checked) body.set('when', form.elements.when.value);
    body.set('sent', Math.round(window.shopClock.now()));
    const signal = AbortSignal.timeout(BOUND);
    const reply = await fetch(command.path, {method: 'POST', body, signal, headers: {Accept: 'application/json'}})
      .catch(problem => {
        throw new Error(problem.name === 'TimeoutError'
          ? say('No answer for 10 seconds. It is not carried out any more, unless it was already: look at the machine before you try again.')
          : say('The server does not answer: look at the machine before you try again.'));
      });
    const answer = await reply.json()
      .catch(() => { throw new Error(say('Something between here and the server answered with {status}.', {status: reply.status})); });
    if (!reply.ok) throw new Error(answer.error);
    return answer;
  }
  form.addEventListener('submit', async event => {
    if (event.submitter && event.submitter.value === 'cancel') return;
    event.preventDefault();
    if (go.disabled) return;
    const mine = command;
    go.disabled = true;
    error.textContent = '';
    const waiting = setTimeout(() => { if (command === mine) go.textContent = say('Waiting for the server …'); }, 1000);
    try {
      const answer = await send();
      said.textContent = answer.said;
      said.className = answer.good ? 'say good' : 'say note';
      if (command === mine) dialog.close();
      document.dispatchEvent(new Event('shop:ask'));
    } catch (problem) {
      if (command === mine) error.textContent = problem.message;
      else { said.textContent = problem.message; said.className = 'say bad'; }  // the dialog was left
    } finally {
      clearTimeout(waiting);
      if (command === mine) {
        go.textContent = mine.label;
        go.disabled = false;
      }
    }
  });
})();
