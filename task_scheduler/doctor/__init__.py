"""What is wrong with a scheduler and its surroundings, with the figure and what mends it."""
