"""The pages in a real browser (Debian's Chromium, driven by Playwright), on the real server in a process of its own."""
