% kiosk = kind == 'kiosk'
% rebase('layout.tpl', title='Machines', page='board', kiosk=kiosk)
% words = q.lower().split()
% shown = {t.content.machine.name for t in view.tiles if (not state or t.content.state == state) and all(w in t.content.search_text for w in words)}
<div class="head">
  <h1>Machines</h1>
  <p id="summary" class="summary">{{view.summary}}</p>
% if kiosk:
  <p id="clock" class="wall-clock" aria-hidden="true"></p>
% end
</div>
% if viewer.lapsed:
<p class="say note">You are logged out: a login ends after 12 hours, and when the server is restarted. <a href="/login">Log in again</a></p>
% end
<p id="lost" class="say bad" role="status"></p>
<p id="said" class="say good" role="status">{{said or ''}}</p>
<p id="news" class="unseen" role="status"></p>
% if not kiosk:
<form id="find" class="find" role="search" aria-label="Machines" method="get" action="/">
  <input type="search" name="q" value="{{q}}" aria-label="Search by name" placeholder="Search by name" autocomplete="off" spellcheck="false">
  <fieldset class="chips">
    <legend class="unseen">Show</legend>
    <label><input type="radio" name="state" value=""{{!'' if state else ' checked'}}><span>All <b data-count="">{{len(view.tiles)}}</b></span></label>
% for key in reversed(states):
    <label class="{{key}}{{'' if view.counts[key] or state == key else ' empty'}}"><input type="radio" name="state" value="{{key}}"{{!' checked' if state == key else ''}}><span><svg class="shape" aria-hidden="true"><use href="#shape-{{key}}"/></svg>{{states[key]}} <b data-count="{{key}}">{{view.counts[key]}}</b></span></label>
% end
  </fieldset>
  <noscript><button>Show</button></noscript>
</form>
% end
<ul id="tiles" class="tiles" data-changes="/board/changes{{'?kiosk=1' if kiosk else ''}}" data-cursor="{{cursor}}" data-page="{{stamp}}" data-now="{{now.isoformat(timespec='milliseconds')}}" data-offset="{{now.utcoffset().total_seconds()}}" data-zone="{{zone()}}">
% for tile in view.tiles:
<li data-name="{{tile.content.machine.name}}"{{!'' if tile.content.machine.name in shown else ' hidden'}}>{{!tile.html(kind, viewer.names)}}</li>
% end
</ul>
<p id="none" class="none"{{!' hidden' if shown else ''}}>\\
% if view.tiles and not kiosk:
No machine matches. <a href="/" id="all">Show all</a>\\
% elif not view.tiles:
No machines are configured: <code>machines.json</code> is empty.\\
% end
</p>
% if kind == 'admin':
<form id="commands" method="post" hidden><input type="hidden" name="csrf" value="{{viewer.csrf}}"></form>
<dialog id="command" aria-labelledby="command-title" aria-describedby="command-effect">
  <form method="dialog">
    <h2 id="command-title"></h2>
    <p id="command-effect" class="muted"></p>
    <p class="field"><label>Reason (everybody sees it) <input name="reason" maxlength="1000" autocomplete="off"></label></p>
    <p id="command-when" class="field"><label><input type="checkbox" name="when" value="free"> Only once it is free: a running session goes on</label></p>
    <p id="command-error" class="say bad" role="alert"></p>
    <p class="buttons"><button class="main" value="go"></button> <button value="cancel" formnovalidate>Cancel</button></p>
  </form>
</dialog>
% for key, button in buttons.items():
<template data-command="{{key}}" data-label="{{button.label}}">{{button.effect}}</template>
% end
% end
% if not kiosk:
<footer class="foot muted"><a href="/?kiosk=1">Wall display</a></footer>
% end
