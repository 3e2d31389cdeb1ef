"""What a running gateway shows and obeys: health, metrics, status, events, control.

`settings` is the `http` section of `gateway.yaml`.
"""
