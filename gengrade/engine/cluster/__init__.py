"""A run on several machines.

    plan_for(options, batch), submit, follow    a run on Slurm (`slurm`, `script`, `queue`)
    grade_slice(options, slice)                 what each machine does (`node`)
    Slice                                       a machine's share of the class (`slices`)
    telling                                     how machines tell how far they have come (`telling`, `files`)
    Machine, this_machine                       what a machine offers (`machine`)

`plan` says what all machines must have in common, and `collecting` what the last job finds.
"""
