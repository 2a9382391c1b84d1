"""The Hub as a service: started, stopped, killed, attacked, out of disk space."""
