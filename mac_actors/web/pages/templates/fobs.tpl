% for one in seen:
<li><span>{{!rich('Unknown fob at <b><bdi>{machine}</bdi></b>, {time}', machine=one.display_name, time=clock(one.at, '{}', _('{} ago')))}}</span> <a class="button" href="/people?fob={{ref_of(one.code, one.machine)}}">{{_('Give it to…')}}<span class="unseen"> {{_('(fob at {machine})', machine=one.display_name)}}</span></a></li>
% end
