% for one in seen:
<li><span>Unknown fob at <b><bdi>{{one.display_name}}</bdi></b>, {{!clock(one.at, '{}', '{} ago')}}</span> <a class="button" href="/people?fob={{ref_of(one.code, one.machine)}}">Give it to…<span class="unseen"> (fob at {{one.display_name}})</span></a></li>
% end
