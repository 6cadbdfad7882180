/**
 * The status of a volume's attachment to an instance. Ours: the wire shows attachments without it.
 *
 *   attaching ──► attached ──► detaching ──► (deleted)
 *       │  └────────────────────►│
 *       └──► failed ────────────►│
 */
import type { Transitions } from './transitions.ts';

export const ATTACHMENT_STATUSES = ['attaching', 'attached', 'failed', 'detaching'] as const;
export type AttachmentStatus = (typeof ATTACHMENT_STATUSES)[number];

export const ATTACHMENT_TRANSITIONS: Transitions<AttachmentStatus> = {
  attaching: ['attached', 'failed', 'detaching'],
  attached: ['detaching'],
  failed: ['detaching'],
  detaching: [],
};

export const isAttached = (status: AttachmentStatus): boolean => status === 'attached';
export const isAttaching = (status: AttachmentStatus): boolean => status === 'attaching';
export const isDetaching = (status: AttachmentStatus): boolean => status === 'detaching';
export const isAttachFailed = (status: AttachmentStatus): boolean => status === 'failed';
