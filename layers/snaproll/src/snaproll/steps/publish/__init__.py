"""The steps of a publish, and what starts, wakes and recovers one."""
