% if viewer.lapsed:
<p class="say note">{{_('You are logged out: a login ends after {days} days without use, or when an admin ends it.', days=30)}} <a href="/login">{{_('Log in again')}}</a></p>
% end
<p id="lost" class="say bad" role="status"></p>
<p id="said" class="say good" role="status">{{said or ''}}</p>
<p id="news" class="unseen" role="status"></p>
