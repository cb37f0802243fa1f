% rebase('layout.tpl', title=f'{_(button.label)}: {machine.display_name}', page='')
<section class="panel narrow">
  <h1>{{_(button.label)}}: <bdi>{{machine.display_name}}</bdi></h1>
  <p class="muted">{{_(button.effect)}}</p>
  <form method="post" action="{{url('board', 'machines', machine.name)}}">
    <input type="hidden" name="csrf" value="{{viewer.csrf}}">
    <input type="hidden" name="action" value="{{action}}">
    <p class="field"><label>{{_('Reason (everybody sees it)')}} <input name="reason" maxlength="1000" autocomplete="off" autofocus></label></p>
% if action == 'lock':
    <p class="field"><label><input type="checkbox" name="when" value="free"> {{_('Only once it is free: a running session goes on')}}</label></p>
% end
    <input type="hidden" name="back" value="{{back}}">
    <p><button class="main">{{_(button.label)}}</button> <a class="button" href="{{back}}">{{_('Cancel')}}</a></p>
  </form>
</section>
