/*
 * The files of a server's log, as raft_disk*.c share them.  The thread owns the
 * segments once it runs; between it and the loop are a queue of jobs under one
 * lock and an eventfd back.
 *
 *	raft_disk_load.c	what is there at start
 *	raft_disk_write.c	the thread
 *	raft_disk.c		the loop's side
 *	raft_disk_fork.c	a snapshot by another process
 *	raft_disk_in.c		one that comes from elsewhere
 */
#ifndef CATALOGD_RAFT_DISK_I_H
#define CATALOGD_RAFT_DISK_I_H

#include <bsd/sys/queue.h>

#include <pthread.h>

#include "catalogd/raft_disk.h"

struct frame_job {
	TAILQ_ENTRY(frame_job)	 entry;
	struct wbuf		 w;
	uint64_t		 first;
	uint32_t		 count;
	uint64_t		 epoch;
	bool			 ended;
};
TAILQ_HEAD(frame_jobs, frame_job);

struct segment {
	uint64_t	 first;
	size_t		 size;
};

#define DISK_INCOMING "snap.in-"	/* a name begins so */
struct disk_incoming {
	struct disk	*d;
	char		 name[32];
	int		 fd;
	uint64_t	 size, len;
	uint8_t		*map;		/* NULL: not yet */
};

struct snapshot_job {
	uint64_t	 index, term;
	struct wbuf	 head, data;
	size_t		 done;		/* of data */
	int		 fd;
	/* NULL; or from elsewhere: it is lent, and the log goes. */
	const struct disk_incoming *install;
};

struct disk {
	int		 dirfd;		/* -1: in memory */
	char		*dir, *shown;

	/* the thread's, once it runs */
	struct segment	*seg;
	size_t		 nseg;
	int		 segfd;		/* of the last, or -1 */
	size_t		 ahead;		/* its file is so long, of zeros */
	bool		 no_ahead;	/* the file system has no such thing */
	uint64_t	 next;		/* index behind its last record */

	pthread_t	 thread;
	bool		 running;
	pthread_mutex_t	 lock;
	pthread_cond_t	 cond;
	/* under the lock */
	struct frame_jobs jobs;
	struct snapshot_job *snap;	/* under way */
	uint64_t	 persisted;	/* highest durable index */
	uint64_t	 epoch;		/* rises when entries are replaced */
	uint64_t	 snapshotted;	/* finished, not yet reported */
	bool		 snap_failed;	/* no space, not yet reported */
	bool		 full;		/* the last write found no space */
	uint64_t	 log_bytes;
	bool		 stop;
	char		 error[256];

	/* the loop's */
	struct ev	*ev;
	struct snapshot_job *writing;	/* by the process `writer` */
	pid_t		 writer;
	int		 writer_fd;	/* says how it ended */
	struct ev_io	*writer_io;
	uint64_t	 nincoming;	/* so far, for their names */
	int		 evfd;
	struct ev_io	*io;
	struct disk_ops	 ops;
	uint64_t	 reported;
	bool		 reported_full;
	uint64_t	 queued;	/* index behind the last one queued */
};

/* raft_disk_load.c */
void disk_segment_name(char *buf, size_t len, uint64_t first);
void disk_snapshot_name(char *buf, size_t len, uint64_t index, uint64_t term);

/* raft_disk_fork.c */
/* It ends by itself, and what it wrote is nothing. */
void disk_writer_leave(struct disk *);

/* raft_disk_write.c */
bool disk_no_space(void);	/* does errno say so? */
int disk_write_all(int fd, const uint8_t *, size_t n);
/* 0, 1 when there is no space for it, or -1 and d->error. */
int disk_write_frame(struct disk *, struct frame_job *);
/* Of the segment that is open. */
void disk_segment_end(struct disk *);
void disk_frame_free(struct frame_job *);
void disk_snapshot_free(struct snapshot_job *);
void *disk_thread(void *disk);

#endif
