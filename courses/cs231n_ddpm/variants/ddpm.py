from validation.variants import Changes, Unnamed

RIGHT: dict[str, Changes] = {}
ALTERNATIVE: Changes = {}
UNNAMED: dict[str, Unnamed] = {}
