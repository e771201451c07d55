"""A run on several machines.

    plan_for(options, batch), submit, follow    a run on Slurm (`slurm`, `script`, `queue`)
    grade_slice(options, slice)                 what each of its nodes does (`node`)
    Slice                                       a machine's share of the class (`slices`)
    telling                                     how nodes tell how far they have come (`telling`, `files`)
    Dask(address)                               the carrier that grades by the workers of a scheduler (`dask`)
    offer, grade                                what such a worker does (`remote`), and what travels there (`parcels`)
    Machine, this_machine                       what a machine offers (`machine`), and those of all nodes (`survey`)

`plan` says what all machines must have in common, and `collecting` what the last job finds.
"""
