% if viewer.lapsed:
<p class="say note">You are logged out: a login ends after 30 days without use, or when an admin ends it. <a href="/login">Log in again</a></p>
% end
<p id="lost" class="say bad" role="status"></p>
<p id="said" class="say good" role="status">{{said or ''}}</p>
<p id="news" class="unseen" role="status"></p>
