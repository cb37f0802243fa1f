<span class="muted">\\
% if item.source == 'file':
from the file\\
% else:
given here\\
%   if item.by:
 by <bdi>{{item.by}}</bdi>\\
%   end
, {{!clock(item.at)}}{{f', until {item.until}' if item.until else ''}}\\
% end
</span>
