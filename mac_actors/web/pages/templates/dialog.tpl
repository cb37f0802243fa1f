<form id="commands" method="post" hidden><input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="back" value="{{back}}"></form>
<dialog id="command" aria-labelledby="command-title" aria-describedby="command-effect">
  <form method="dialog">
    <h2 id="command-title"></h2>
    <p id="command-effect" class="muted"></p>
    <p class="field"><label>{{_('Reason (everybody sees it)')}} <input name="reason" maxlength="1000" autocomplete="off"></label></p>
    <p id="command-when" class="field"><label><input type="checkbox" name="when" value="free"> {{_('Only once it is free: a running session goes on')}}</label></p>
    <p id="command-error" class="say bad" role="alert"></p>
    <p class="buttons"><button class="main" value="go"></button> <button value="cancel" formnovalidate>{{_('Cancel')}}</button></p>
  </form>
</dialog>
% for key, button in buttons.items():
<template data-command="{{key}}" data-label="{{_(button.label)}}">{{_(button.effect)}}</template>
% end
