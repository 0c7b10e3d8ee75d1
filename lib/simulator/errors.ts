/** Errors as ChirpStack answers them, with its own words (api/error.rs, storage/error.rs, api/auth/validator.rs). */
import { status } from '@grpc/grpc-js';

/** What a call is answered with instead of a reply. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: status;
  /** May be empty: then nothing tells the cases apart that share a code. */
  readonly details: string;

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

/** Not allowed, key deleted, or the object is gone: ChirpStack says the same for all, and never PERMISSION_DENIED. */
export const notAllowed = (): ServiceError => new ServiceError(status.UNAUTHENTICATED, '');

export const unauthenticated = (details: string): ServiceError => new ServiceError(status.UNAUTHENTICATED, details);

export const doesNotExist = (id: string): ServiceError =>
  new ServiceError(status.NOT_FOUND, `Object does not exist (id: ${id})`);

export const invalidArgument = (details: string): ServiceError => new ServiceError(status.INVALID_ARGUMENT, details);

export const internal = (details: string): ServiceError => new ServiceError(status.INTERNAL, details);
