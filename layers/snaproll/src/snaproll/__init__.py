"""snaproll: roll fleets of read replicas onto new EBS snapshots, and back when one is bad."""
