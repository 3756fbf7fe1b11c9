/*
 * What a libFuzzer program of ours takes besides libFuzzer's own arguments (see fuzz/run):
 *   fuzz_<what> --max-len              prints the length its inputs are made up to
 *   fuzz_<what> --stretch FOLDER       the stretch pass over the seeds in it (fuzz/stretch.h)
 *   fuzz_<what> --stretch-all FOLDER   the same; every input over the bound is told
 */
#include "fuzz/cost.h"
#include "fuzz/stretch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *what = *argc > 1 ? (*argv)[1] : "";

    if (*argc == 2 && strcmp(what, "--max-len") == 0) {
        printf("%zu\n", cost_bound()->max_len);
        exit(0);
    }
    if (*argc == 3 && strcmp(what, "--stretch-all") == 0)
        cost_tell_only();
    if (*argc == 3 && (strcmp(what, "--stretch") == 0 || strcmp(what, "--stretch-all") == 0))
        exit(stretch_folder((*argv)[2]) < 0 ? 1 : 0);
    return 0;
}
