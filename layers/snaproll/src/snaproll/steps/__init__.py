"""One function of a Lambda each: read AWS, ask the domain, carry its answer out."""
