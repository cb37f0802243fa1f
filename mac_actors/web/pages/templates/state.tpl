<p class="state {{state}}"><span class="word"><svg class="shape" aria-hidden="true"><use href="#shape-{{state}}"/></svg><strong>{{word}}</strong></span> \\
% if state == 'offline':
<span class="since">{{!clock(since, _('last seen {}'), _('last seen {} ago')) if since else _('never seen')}}</span>\\
% else:
<span class="since">{{!clock(since, _('since {}'), _('for {}'))}}</span>\\
% end
</p>
