"""What runs on time?  Cloud Scheduler's HTTP jobs on one machine."""
