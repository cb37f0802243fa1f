% rebase('layout.tpl', title=_('Labels'), page='labels', styles=('labels.css',))
<div class="for-screen">
<h1>{{_('Labels')}}</h1>
<p>{{!_("Each has the name of a machine and a QR code that leads to its page. Print in the real size (100 %, no margins of the printer's own), on a sheet of labels or on paper to be cut.")}}</p>
<form class="find" method="get" action="/labels">
  <label>{{_('Sheet')}} <select name="sheet">
% for key, one in sheets.items():
    <option value="{{key}}"{{!' selected' if key == sheet else ''}}>{{_(one.title)}}</option>
% end
  </select></label>
% if areas:
  <label>{{_('Area')}} <select name="area">
    <option value="">{{_('All areas')}}</option>
%   for area in areas:
    <option{{!' selected' if area == wanted.area else ''}}>{{area}}</option>
%   end
  </select></label>
% end
  <label>{{_('Address of this server')}} <input name="base" value="{{base}}" inputmode="url"></label>
  <button>{{_('Show')}}</button>
</form>
% if here_alone:
<p class="say note">{{!rich("Phones can't follow these codes: {address} means this computer itself. Put in the address by which phones in the shop reach this server.", address=base)}}</p>
% end
% if not pages:
<p class="none">{{_('No machine matches.')}}</p>
% end
</div>
% for number, labels in enumerate(pages):
<section class="sheet {{sheet}}" aria-label="{{_('Sheet {number}', number=number + 1)}}">
%   for label in labels:
  <div class="label">
    {{!label.code}}
    <div class="words">
      <p class="name"><bdi>{{label.machine.display_name}}</bdi></p>
%     if label.machine.area:
      <p class="muted"><bdi>{{label.machine.area}}</bdi></p>
%     end
      <p class="muted space">\\
%     if logo:
<img class="logo" src="{{logo}}" alt=""> \\
%     end
{{named or ''}}</p>
    </div>
  </div>
%   end
</section>
% end
