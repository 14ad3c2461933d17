"""Processes and threads that do work, whatever the work is.

Input: tasks. Output: their results. `worker_engines` runs tasks in processes of this
machine and `ray_engine` on a Ray cluster; extraction uses both. `worker_tasks` hands
out trainings and localisations to either. `prefetching_threads` lets another thread of
the same process compute what is needed next.
"""
