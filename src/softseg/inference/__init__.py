"""From statistics to judged posterior draws, and how many segments there are."""
