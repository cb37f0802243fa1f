<ul id="fobs" class="fobs" aria-label="Unknown fobs" aria-live="polite">{{!fobs}}</ul>
