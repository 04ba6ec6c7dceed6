import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { InquiryActivities } from '../activities/contract.js';
import type { InquiryInput } from './messages.js';

/** Has a worker answer what a person asks a system: only workers reach systems. Nothing of the answer passes through here. */
export async function inquiry(input: InquiryInput): Promise<void> {
  const { answerInquiry } = proxyActivities<InquiryActivities>({
    startToCloseTimeout: '4 minutes',
    heartbeatTimeout: '1 minute',
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    // What the system says is an answer; tried again is only what befalls the worker.
    retry: { initialInterval: '1 s', maximumAttempts: 3 },
  });
  await answerInquiry({ institutionId: input.institutionId, inquiryId: input.inquiryId });
}
