"""What a person sees of one rollout now: what runs, why, what happens next, and what they can do.

`view.view(rollout, releases, now)` gives it, and `shape.View.to_json` is its documented form. The terminal,
the page and the alerts only draw it, so none of them knows more than another.
"""
