<p class="state {{state}}"><span class="word"><svg class="shape" aria-hidden="true"><use href="#shape-{{state}}"/></svg><strong>{{word}}</strong></span> \\
% if state == 'offline':
<span class="since">{{!clock(since, 'last seen {}', 'last seen {} ago') if since else 'never seen'}}</span>\\
% else:
<span class="since">{{!clock(since, 'since {}', 'for {}')}}</span>\\
% end
</p>
