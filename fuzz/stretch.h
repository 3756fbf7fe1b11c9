/*
 * The stretch pass: what is small in a seed is made large, to see that the cost stays linear. A
 * part of a seed (one, two or three of its words, a line, all of it) is repeated in its place until
 * the input is long; first every part at two small sizes, then those whose cost grew most, and those
 * that cost most, at 64 KiB and more (cost_bounds' `stretch`). The same seeds give the same inputs
 * in the same order; budgets of octets and of steps bound its time, not a clock.
 */
#ifndef FUZZ_STRETCH_H
#define FUZZ_STRETCH_H

/* Runs the pass over the seeds in `folder` and prints a line about it. Returns 0, or -1 without
 * seeds or when an input was over the bound (unless that aborts, see cost.h). */
int stretch_folder(const char *folder);

#endif
