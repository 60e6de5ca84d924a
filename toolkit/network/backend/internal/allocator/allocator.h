#ifndef STOCHDEPTH_ALLOCATOR_H
#define STOCHDEPTH_ALLOCATOR_H

// start makes the allocator keep large blocks from now on, to the end of the process. It is called once.
void stochdepth_start_allocator(void);
int stochdepth_allocator_started(void);

#endif
