"""Slack is down, slow, rate-limiting, wrongly set up: machines do not notice, nothing is lost or said twice."""
