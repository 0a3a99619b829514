"""One module per AWS API: typed in, typed out, and every ClientError a named error."""
