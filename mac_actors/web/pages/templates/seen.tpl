<ul id="fobs" class="fobs" aria-label="{{_('Unknown fobs')}}" aria-live="polite">{{!fobs}}</ul>
