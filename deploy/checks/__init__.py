"""What `deploy/check.py` looks at; each module returns problems as sentences, none when all is well."""
