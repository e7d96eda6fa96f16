"""The page in the cluster: many readers, each with the token that comes with their requests.

The program has no rights and keeps nothing: no token, answer or view outlives the request or the stream that
needed it. The API server authenticates each call, so its audit log names the person.
"""
