<span class="muted">\\
% if item.source == 'file':
{{_('from the file')}}\\
% else:
{{!rich('given here by <bdi>{by}</bdi>', by=item.by) if item.by else _('given here')}}, {{!clock(item.at)}}{{_(', until {day}', day=item.until) if item.until else ''}}\\
% end
</span>
