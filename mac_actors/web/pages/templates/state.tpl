<p class="state"><svg class="shape" aria-hidden="true"><use href="#shape-{{content.state}}"/></svg><strong>{{content.word}}</strong> \\
% if content.state == 'offline':
<span class="since">{{!clock(content.since, 'last seen {}', 'last seen {} ago') if content.since else 'never seen'}}</span>\\
% else:
<span class="since">{{!clock(content.since, 'since {}', 'for {}')}}</span>\\
% end
</p>
