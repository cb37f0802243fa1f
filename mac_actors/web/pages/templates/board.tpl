% from urllib.parse import urlencode
% from mac_actors.core.config import fold_name
% kiosk = kind == 'kiosk'
% heading = (wanted.area or named or _('Machines')) if kiosk else _('Machines')
% rebase('layout.tpl', title=view.title + heading, page='board', kiosk=kiosk, scripts=('wall.js',) if kiosk else (('commands.js',) if kind == 'admin' else ()) + (('people.js',) if viewer.caller else ()), styles=('people.css',) if viewer.caller else ())
% query = {'kiosk': '1', 'q': wanted.words, 'state': wanted.state, 'area': wanted.area}
% changes = '/board/changes' + ('?' + urlencode({key: value for key, value in query.items() if value}) if kiosk else '')
% names = {t.content.machine.name for t in shown.tiles}
<div class="head">
% if kiosk and logo:
  <img class="logo" src="{{logo}}" alt="">
% end
  <h1><bdi>{{heading}}</bdi></h1>
  <p id="summary" class="summary">{{(shown if kiosk else view).summary}}</p>
% if kiosk:
  <p id="turn" class="summary" aria-hidden="true"></p>
  <p id="clock" class="wall-clock" aria-hidden="true"></p>
% end
</div>
% include('says.tpl', said=said)
% if viewer.caller:
%   include('seen.tpl', fobs=fobs)
% end
% if not kiosk:
<form id="find" class="find" role="search" aria-label="{{_('Machines')}}" method="get" action="/">
  <input type="search" name="q" value="{{wanted.words}}" aria-label="{{_('Search by name')}}" placeholder="{{_('Search by name')}}" autocomplete="off" spellcheck="false">
%   if view.areas:
  <select name="area" aria-label="{{_('Area')}}">
    <option value="">{{_('All areas')}}</option>
%     for area in view.areas:
    <option{{!' selected' if fold_name(area) == fold_name(wanted.area) else ''}}>{{area}}</option>
%     end
  </select>
%   end
  <fieldset class="chips">
    <legend class="unseen">{{_('Show')}}</legend>
    <label><input type="radio" name="state" value=""{{!'' if wanted.state else ' checked'}}><span>{{_('All')}} <b data-count="">{{len(view.tiles)}}</b></span></label>
% for key in reversed(states):
    <label class="{{key}}{{'' if view.counts[key] or wanted.state == key else ' empty'}}"><input type="radio" name="state" value="{{key}}"{{!' checked' if wanted.state == key else ''}}><span><svg class="shape" aria-hidden="true"><use href="#shape-{{key}}"/></svg>{{_(states[key])}} <b data-count="{{key}}">{{view.counts[key]}}</b></span></label>
% end
  </fieldset>
  <noscript><button>{{_('Show')}}</button></noscript>
</form>
% end
<ul id="tiles" class="tiles" data-changes="{{changes}}" data-cursor="{{view.cursor}}" data-page="{{stamp}}" data-q="{{wanted.words}}" data-state="{{wanted.state}}" data-area="{{wanted.area}}">
% last = None
% for tile in view.ordered_for(kind):
%   area = tile.content.machine.area or ''
%   if kind != 'kiosk' and (last is None or fold_name(area) != fold_name(last)) and view.areas and tile.content.machine.name in names:
<li class="area"><h2><bdi>{{area or _('Elsewhere')}}</bdi></h2></li>
%     last = area
%   end
<li data-name="{{tile.content.machine.name}}"{{!'' if tile.content.machine.name in names else ' hidden'}}>{{!tile.html(kind, viewer.names)}}</li>
% end
</ul>
<p id="none" class="none"{{!' hidden' if names else ''}}>\\
% if not view.tiles:
{{!_('No machines are configured: <code>machines.json</code> is empty.')}}\\
% elif kiosk:
{{_('No machine matches.')}}\\
% else:
{{_('No machine matches.')}} <a href="/" id="all">{{_('Show all')}}</a>\\
% end
</p>
% if kind == 'admin':
%   include('dialog.tpl', buttons=buttons, back='/')
% end
% if not kiosk:
<footer class="foot muted"><a href="/?kiosk=1">{{_('Wall display')}}</a> · <a href="/labels">{{_('Labels to print')}}</a></footer>
% end
