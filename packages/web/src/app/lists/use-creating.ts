import { useLocation } from '@tanstack/react-router';
import { useState } from 'react';

/** Whether the form that adds something to a list is open; an address with `#new` opens it. */
export function useCreating() {
  const hash = useLocation({ select: (location) => location.hash });
  return useState(hash === 'new');
}
