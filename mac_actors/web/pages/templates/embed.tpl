% rebase('layout.tpl', title=_('Machines'), page='embed', bare=True)
% names = {t.content.machine.name for t in shown.tiles}
<h1 class="unseen">{{_('Machines')}}</h1>
<p id="lost" class="say bad" role="status"></p>
<p id="news" class="unseen" role="status"></p>
<ul id="tiles" class="tiles" data-changes="/board/changes?kiosk=1" data-cursor="{{view.cursor}}" data-page="{{stamp}}" data-area="{{wanted.area}}" data-machine="{{wanted.machine}}">
% for tile in view.tiles:
%   machine = tile.content.machine
<li data-name="{{machine.name}}"{{!'' if machine.name in names else ' hidden'}}>{{!tile.html('kiosk', viewer.names)}}</li>
% end
</ul>
<p id="none" class="none"{{!' hidden' if names else ''}}>{{_('No machine matches.')}}</p>
<p class="foot muted"><a href="/" target="_blank" rel="noopener">{{_('{space}: all machines', space=space_name)}}</a></p>
